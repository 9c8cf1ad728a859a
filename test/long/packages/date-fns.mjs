import { addMonths, differenceInCalendarDays, format } from 'date-fns';

export function execute() {
  const paid = new Date(2026, 0, 31);
  return {
    due: format(addMonths(paid, 1), 'yyyy-MM-dd'),
    days: differenceInCalendarDays(new Date(2026, 11, 25), paid),
  };
}
