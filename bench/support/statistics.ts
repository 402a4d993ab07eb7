/** The few numbers that describe a row of measurements. */
export interface Summary {
  count: number;
  median: number;
  min: number;
  max: number;
  /** 10th and 90th percentile: between them lie four fifths of the rounds. */
  p10: number;
  p90: number;
}

/** Linear interpolation between the two nearest values; `share` from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (low === undefined || high === undefined) throw new Error("Cannot summarise no measurements.");
  return low + (high - low) * (at - Math.floor(at));
}

export function summarise(values: readonly number[]): Summary {
  return {
    count: values.length,
    median: quantile(values, 0.5),
    min: quantile(values, 0),
    max: quantile(values, 1),
    p10: quantile(values, 0.1),
    p90: quantile(values, 0.9),
  };
}

/** Three significant digits, without an exponent: 0.123, 1.23, 12.3, 1234. */
export function formatNumber(value: number): string {
  const digits = value === 0 ? 2 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}
