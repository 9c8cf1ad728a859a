/** Minimum, maximum, mean, sample standard deviation and quartiles. A figure too large for a double is `null`. */
export function describeNumbers(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  const { mean, deviation } = moments(sorted);
  return {
    min: figure(sorted[0]),
    q1: figure(quantile(sorted, 0.25)),
    median: figure(quantile(sorted, 0.5)),
    q3: figure(quantile(sorted, 0.75)),
    max: figure(sorted.at(-1)),
    mean: figure(mean),
    stddev: sorted.length < 2 ? null : figure(deviation),
  };
}

// Welford: the sum of squares minus the square of sums would lose all digits of close, large numbers.
function moments(numbers) {
  let [count, mean, squares] = [0, 0, 0];
  for (const number of numbers) {
    count++;
    const before = number - mean;
    mean += before / count;
    squares += before * (number - mean);
  }
  return { mean, deviation: Math.sqrt(squares / (count - 1)) };
}

// Linear between the two nearest ranks, as spreadsheets (`QUARTILE.INC`), R and NumPy do by default.
function quantile(sorted, share) {
  const rank = (sorted.length - 1) * share;
  const low = sorted[Math.floor(rank)];
  const high = sorted[Math.ceil(rank)];
  const weight = rank - Math.floor(rank);
  return low * (1 - weight) + high * weight;
}

// Twelve significant digits: what is behind them is noise of binary fractions.
const figure = (number) => (Number.isFinite(number) ? Number(number.toPrecision(12)) + 0 : null);
