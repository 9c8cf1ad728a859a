import { createCanvas, loadImage } from '@napi-rs/canvas';

export async function execute() {
  const drawn = createCanvas(20, 10);
  const brush = drawn.getContext('2d');
  brush.fillStyle = '#ff8000';
  brush.fillRect(5, 2, 10, 6);
  const png = await drawn.encode('png');
  const read = createCanvas(20, 10).getContext('2d');
  read.drawImage(await loadImage(png), 0, 0);
  const colourAt = (x, y) => [...read.getImageData(x, y, 1, 1).data];
  return { signature: png.subarray(1, 4).toString(), inside: colourAt(10, 5), outside: colourAt(0, 0) };
}
