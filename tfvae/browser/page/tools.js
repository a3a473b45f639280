/** Noise, and order among what happens at once. */

/** Standard normal numbers: Box and Muller's. */
export function normal(count) {
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    return radius * Math.cos(2 * Math.PI * Math.random());
  });
}

/** Numbers between 0 and 1, and neither of them in float32. */
export function uniform(count) {
  return Float32Array.from({ length: count }, () => 1e-6 + (1 - 2e-6) * Math.random());
}

/** Waits until the screen shows what was said. */
export function frame() {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** A task that runs for the latest call: calls while it runs make one more run. */
export function latest(page, task) {
  let running = false;
  let again = false;
  return page.guarded(async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await task();
      }
    } finally {
      running = false;
    }
  });
}
