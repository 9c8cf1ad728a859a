/** `(module (func (export "run") (loop (br 0))))` */
const LOOP = Buffer.from(
  '0061736d01000000010401600000030201000707010372756e00000a09010700034 00c000b0b'.replaceAll(' ', ''),
  'hex',
);

export async function execute() {
  const { instance } = await WebAssembly.instantiate(LOOP);
  instance.exports.run();
}
