/**
 * What `promise` rejects with; fails when it resolves. (`expect(…).rejects` is typed as no promise, so forgetting to wait for it
 * would go unnoticed.)
 */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`Resolved, with ${JSON.stringify(value)}`);
}
