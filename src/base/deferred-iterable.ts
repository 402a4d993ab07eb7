/** An async iterable that is opened by its first `next`: what it needs is loaded when somebody reads. */
export function deferredIterable<T>(open: () => Promise<AsyncIterable<T>>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      let opened: AsyncIterator<T> | undefined;
      return {
        next() {
          return opened ? opened.next() : open().then((iterable) => (opened = iterable[Symbol.asyncIterator]()).next());
        },
        async return() {
          await opened?.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
