// Work on real pixels. Images come in and go out as RGBA buffers; results are moved, not copied, where threads allow it.
// Move the argument as well: `images.$with({ transfer: [image.data.buffer] }).blur(image, 3)`. (The methods are not marked idempotent:
// an idempotent call keeps a copy of its arguments to run again, which would undo the gain of moving them.)
import { Process, Public, transfer } from 'mimas';
import { decodePng, encodePng, type Image } from './png.js';

export type { Image };

/** Pixels for each of the 256 levels. */
export interface Histogram {
  red: Uint32Array;
  green: Uint32Array;
  blue: Uint32Array;
  luminance: Uint32Array;
}

@Process({ name: 'image-processor', version: '1.0.0', description: 'Grey, blur, resize, histogram, PNG' })
export default class ImageProcessor {
  /** Luminance after ITU-R BT.709. */
  @Public()
  grayscale(image: Image): Image {
    const { width, height, data } = checked(image);
    const out = new Uint8Array(data.length);
    for (let at = 0; at < data.length; at += 4) {
      const grey = luminance(data, at);
      out[at] = out[at + 1] = out[at + 2] = grey;
      out[at + 3] = data[at + 3]!;
    }
    return moved({ width, height, data: out });
  }

  /** Box blur: each pixel becomes the mean of the square around it. The time does not depend on the radius. */
  @Public()
  blur(image: Image, radius: number): Image {
    const { width, height, data } = checked(image);
    if (!Number.isInteger(radius) || radius < 0) throw new RangeError(`${radius} is no radius; it must be a whole number of pixels`);
    const across = blurLines(data, { lines: height, length: width, step: 4, stride: width * 4 }, radius);
    return moved({ width, height, data: blurLines(across, { lines: width, length: height, step: width * 4, stride: 4 }, radius) });
  }

  /** Bilinear; for a picture much smaller than its source, blur it first. */
  @Public()
  resize(image: Image, width: number, height: number): Image {
    const { data, ...from } = checked(image);
    for (const size of [width, height]) if (!Number.isInteger(size) || size < 1) throw new RangeError(`${size} is no size; it must be a whole number of pixels`);
    const out = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      const [y0, y1, down] = between(y, height, from.height);
      for (let x = 0; x < width; x++) {
        const [x0, x1, right] = between(x, width, from.width);
        for (let channel = 0; channel < 4; channel++) {
          const at = (px: number, py: number) => data[(py * from.width + px) * 4 + channel]!;
          const top = at(x0, y0) * (1 - right) + at(x1, y0) * right;
          const bottom = at(x0, y1) * (1 - right) + at(x1, y1) * right;
          out[(y * width + x) * 4 + channel] = Math.round(top * (1 - down) + bottom * down);
        }
      }
    }
    return moved({ width, height, data: out });
  }

  @Public()
  histogram(image: Image): Histogram {
    const { data } = checked(image);
    const [red, green, blue, grey] = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
    for (let at = 0; at < data.length; at += 4) {
      red[data[at]!]!++;
      green[data[at + 1]!]!++;
      blue[data[at + 2]!]!++;
      grey[luminance(data, at)]!++;
    }
    return { red, green, blue, luminance: grey };
  }

  @Public()
  encode(image: Image): Uint8Array {
    return encodePng(checked(image));
  }

  @Public()
  decode(png: Uint8Array): Image {
    return moved(decodePng(png));
  }
}

const moved = (image: Image): Image => transfer(image, [image.data.buffer as ArrayBuffer]);

const luminance = (data: Uint8Array, at: number): number => Math.round(0.2126 * data[at]! + 0.7152 * data[at + 1]! + 0.0722 * data[at + 2]!);

function checked(image: Image): Image {
  const { width, height, data } = image;
  if (data.length !== width * height * 4) throw new RangeError(`${width} × ${height} pixels need ${width * height * 4} bytes, not ${data.length}`);
  return image;
}

/** The two source pixels between which `at` lies, and how near it is to the second. */
function between(at: number, size: number, sourceSize: number): [number, number, number] {
  const exact = Math.min(Math.max(((at + 0.5) * sourceSize) / size - 0.5, 0), sourceSize - 1);
  const first = Math.floor(exact);
  return [first, Math.min(first + 1, sourceSize - 1), exact - first];
}

interface Lines { lines: number; length: number; step: number; stride: number }

/** Mean over a sliding window along each line; the border pixels are repeated outside. */
function blurLines(data: Uint8Array, { lines, length, step, stride }: Lines, radius: number): Uint8Array {
  const out = new Uint8Array(data.length);
  const size = radius * 2 + 1;
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 4; channel++) {
      const start = line * stride + channel;
      const at = (i: number) => data[start + Math.min(Math.max(i, 0), length - 1) * step]!;
      let sum = 0;
      for (let i = -radius; i <= radius; i++) sum += at(i);
      for (let i = 0; i < length; i++) {
        out[start + i * step] = Math.round(sum / size);
        sum += at(i + radius + 1) - at(i - radius);
      }
    }
  }
  return out;
}
