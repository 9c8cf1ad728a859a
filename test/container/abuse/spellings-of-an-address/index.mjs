import { attempt, knock } from './attempt.mjs';

export async function execute({ inputData: { lures } }) {
  const spellings = lures.addresses.flatMap((address) => {
    const [a, b, c, d] = address.split('.').map(Number);
    const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    const hex = number.toString(16).padStart(8, '0');
    return [
      String(number),
      `0x${hex}`,
      `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`,
      `${a}.${(b << 16) | (c << 8) | d}`,
      `::ffff:${address}`,
      `64:ff9b::${address}`,
      `2002:${hex.slice(0, 4)}:${hex.slice(4)}::1`,
      `${address}.`,
    ];
  });
  const hosts = [
    ...spellings,
    '0.0.0.0',
    '0',
    '::',
    '::ffff:0.0.0.0',
    'localhost.',
    '127.1',
    '0177.1',
    '127.0.0.2',
    'fe80::1%lo',
  ];
  const codes = await Promise.all(hosts.map((host) => attempt(() => knock({ host, port: lures.port }))));
  return [...new Set(codes)].sort().join();
}
