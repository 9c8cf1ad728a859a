/** Earliest and latest day of a column in which 03/04/2026 can mean two days: the other rows decide which. */
export function createDateRange() {
  const readings = { dayFirst: emptyRange(), monthFirst: emptyRange() };
  let isAmbiguous = false;
  return {
    add({ dayFirst, monthFirst }) {
      widen(readings.dayFirst, dayFirst);
      widen(readings.monthFirst, monthFirst);
      if (dayFirst !== null && monthFirst !== null && dayFirst !== monthFirst) isAmbiguous = true;
    },
    describe() {
      const { dayFirst, monthFirst } = readings;
      if (!dayFirst.isPossible && !monthFirst.isPossible) {
        return { problems: ['dates with the day first and with the month first are mixed'] };
      }
      if (dayFirst.isPossible && monthFirst.isPossible && isAmbiguous) {
        return { problems: ['dates do not tell whether the day or the month stands first'] };
      }
      const { min, max } = dayFirst.isPossible ? dayFirst : monthFirst;
      return { min, max, problems: [] };
    },
  };
}

const emptyRange = () => ({ isPossible: true, min: null, max: null });

function widen(range, day) {
  if (day === null) range.isPossible = false;
  else {
    if (range.min === null || day < range.min) range.min = day;
    if (range.max === null || day > range.max) range.max = day;
  }
}
