/** A place to draw: in the pixels that the model sees, not in those of the screen. */

import { paint, release, strip } from "./picture.js";

export class Pad {
  /** Fills `root` with a copy of the template; `changed` is called after each change. */
  constructor(root, model, changed) {
    root.append(document.getElementById("pad").content.cloneNode(true));
    this.root = root;
    this.canvas = root.querySelector(".pad");
    this.shape = model.shape;
    this.levels = model.levels;
    this.changed = changed;
    this.faded = undefined;
    this.pixels = new Float32Array(model.shape.reduce((a, b) => a * b));
    const row = root.querySelector(".examples");
    strip(row, model.examples, model.shape, (item) => this.set(item.pixels));
    root.querySelector(".clear").addEventListener("click", () => {
      release(row);
      this.set(new Float32Array(this.pixels.length));
    });
    this.#listen();
    this.paint();
  }

  paint() {
    paint(this.canvas, this.pixels, this.shape, this.faded);
  }

  set(pixels) {
    this.pixels = Float32Array.from(pixels, (value) => this.#level(value));
    this.paint();
    this.changed();
  }

  #level(value) {
    const steps = this.levels - 1;
    return this.levels ? Math.round(value * steps) / steps : value;
  }

  #listen() {
    let last;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      last = this.#place(event);
      this.#stroke(last, last);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) {
        const place = this.#place(part);
        this.#stroke(last, place);
        last = place;
      }
    });
    this.canvas.addEventListener("lostpointercapture", () => (last = undefined));
  }

  /** Where a pointer is, in pixels of the picture. */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [height, width] = this.shape;
    return {
      x: ((event.clientX - box.left) / box.width) * width,
      y: ((event.clientY - box.top) / box.height) * height,
    };
  }

  /** A line with soft edges, about as wide as those of MNIST. */
  #stroke(start, end) {
    const [height, width, channels] = this.shape;
    const radius = Math.max(0.7, Math.max(width, height) / 28);
    const steps = Math.ceil(2 * Math.hypot(end.x - start.x, end.y - start.y)) + 1;
    for (let step = 1; step <= steps; step++) {
      const x = start.x + ((end.x - start.x) * step) / steps;
      const y = start.y + ((end.y - start.y) * step) / steps;
      for (let i = 0; i < width * height; i++) {
        const away = Math.hypot((i % width) + 0.5 - x, Math.floor(i / width) + 0.5 - y);
        const ink = Math.min(1, Math.max(0, 1.6 - away / radius));
        for (let channel = 0; channel < channels; channel++) {
          const at = i * channels + channel;
          this.pixels[at] = Math.max(this.pixels[at], this.#level(ink));
        }
      }
    }
    this.paint();
    this.changed();
  }
}
