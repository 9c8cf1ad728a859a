import bcrypt from 'bcrypt';

export async function execute() {
  const hash = await bcrypt.hash('secret', 4);
  return { right: await bcrypt.compare('secret', hash), wrong: await bcrypt.compare('other', hash) };
}
