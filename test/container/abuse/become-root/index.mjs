import { tryAll } from './attempt.mjs';

export async function execute() {
  const answers = await tryAll({
    setuid: () => process.setuid(0),
    setgid: () => process.setgid(0),
    seteuid: () => process.seteuid('root'),
    setegid: () => process.setegid('root'),
    setgroups: () => process.setgroups([0]),
    initgroups: () => process.initgroups('root', 0),
    another: () => process.setuid(1000),
    itself: () => process.setuid(process.getuid()),
  });
  return {
    ...answers,
    ids: [process.getuid(), process.geteuid(), process.getgid(), process.getegid()].map(String),
  };
}
