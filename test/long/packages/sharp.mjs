import sharp from 'sharp';

export async function execute() {
  const small = await sharp({ create: { width: 8, height: 4, channels: 3, background: '#336699' } })
    .png()
    .toBuffer();
  const large = await sharp(small).resize(16, 8).webp({ lossless: true }).toBuffer();
  const { width, height, format } = await sharp(large).metadata();
  const pixels = await sharp(large).removeAlpha().raw().toBuffer();
  return { width, height, format, colour: pixels.subarray(0, 3).toString('hex') };
}
