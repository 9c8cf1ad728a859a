import QRCode from 'qrcode';

export async function execute() {
  const { modules } = QRCode.create('https://a.example');
  const png = await QRCode.toBuffer('https://a.example');
  return {
    size: modules.size,
    signature: png.subarray(1, 4).toString(),
    text: (await QRCode.toString('a')).length > 100,
  };
}
