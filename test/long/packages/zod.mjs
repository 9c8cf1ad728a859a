import { z } from 'zod';

const Order = z.object({ id: z.uuid(), amount: z.coerce.number().positive() });

export function execute() {
  const good = Order.parse({ id: '3d594650-3436-4f9a-9d0b-4b1c2d3e4f50', amount: '2.5' });
  const bad = Order.safeParse({ id: 'x', amount: -1 });
  return { amount: good.amount, problems: bad.error.issues.map(({ path }) => path.join('.')) };
}
