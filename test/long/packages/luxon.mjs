import { DateTime } from 'luxon';

export function execute() {
  const meeting = DateTime.fromISO('2026-07-01T09:30', { zone: 'Europe/Berlin' });
  return {
    utc: meeting.toUTC().toISO(),
    tokyo: meeting.setZone('Asia/Tokyo').toFormat('yyyy-LL-dd HH:mm'),
    german: meeting.setLocale('de').toFormat('cccc, d. LLLL'),
  };
}
