/** Pictures on canvases, of floats in [0, 1] with channels last. */

/** Paints a picture; where `faded(row, column)` holds, as what does not count. */
export function paint(canvas, pixels, [height, width, channels], faded = () => false) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const dim = faded(Math.floor(i / width), i % width);
    for (let channel = 0; channel < 3; channel++) {
      const value = 255 * pixels[i * channels + (channels > 1 ? channel : 0)];
      image.data[4 * i + channel] = dim ? 0.25 * value + [30, 60, 110][channel] : value;
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Fills a row with pictures; with `choose` each is a button. */
export function strip(row, items, shape, choose) {
  const children = items.map((item) => {
    const canvas = document.createElement("canvas");
    paint(canvas, item.pixels, shape);
    return choose ? button(row, canvas, item, choose) : named(canvas, item);
  });
  row.replaceChildren(...children);
}

function named(canvas, item) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", item.name);
  return canvas;
}

function button(row, canvas, item, choose) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "thumb";
  element.setAttribute("aria-label", item.name);
  element.append(canvas);
  element.addEventListener("click", () => {
    release(row);
    element.setAttribute("aria-pressed", "true");
    choose(item);
  });
  return element;
}

/** Marks none of a row's pictures as chosen. */
export function release(row) {
  for (const other of row.children) other.setAttribute("aria-pressed", "false");
}
