import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute() {
  const bytes = (...codes) => Buffer.from([...Buffer.from('/tmp/'), ...codes]);
  const write = (path) => () => writeFileSync(path, 'x');
  const answers = await tryAll({
    lineFeed: write('/tmp/a\nb'),
    escape: write('/tmp/\x1b]0;pwned\x07\x1b[2J'),
    notText: write(bytes(0xff, 0xfe, 0xc0, 0x80)),
    dash: write('/tmp/-rf'),
    stars: write('/tmp/*?[!a]$(reboot)`id`'),
    whiteout: write('/tmp/.wh..wh..opq'),
    mirrored: write('/tmp/\u202egnp.exe'),
    zeroWidth: write('/tmp/\u200b'),
    longest: write(`/tmp/${'n'.repeat(255)}`),
    tooLong: write(`/tmp/${'n'.repeat(256)}`),
    longPath: write(`/tmp/${'./'.repeat(2044)}x`),
    tooLongPath: write(`/tmp/${'./'.repeat(2048)}x`),
    nul: write('/tmp/a\0b'),
    loop: () => {
      symlinkSync('loop', '/tmp/loop');
      writeFileSync('/tmp/loop', 'x');
    },
    longLoop: () => {
      for (let link = 0; link < 64; link++) symlinkSync(`chain-${link + 1}`, `/tmp/chain-${link}`);
      writeFileSync('/tmp/chain-0', 'x');
    },
    dots: () => mkdirSync('/tmp/...'),
  });
  return { ...answers, names: readdirSync('/tmp').length > 70 };
}
