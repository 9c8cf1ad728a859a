import argon2 from 'argon2';

export async function execute() {
  const hash = await argon2.hash('secret', { memoryCost: 1024, timeCost: 2 });
  return {
    kind: hash.slice(0, 10),
    right: await argon2.verify(hash, 'secret'),
    wrong: await argon2.verify(hash, 'x'),
  };
}
