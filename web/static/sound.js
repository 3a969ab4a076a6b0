// Two short tones: rising when recording goes on, falling when it goes off.

/** @type {AudioContext | null} */
let context = null;

/** Call from a click: browsers let nothing sound before one. */
export function allowSound() {
  try {
    context ??= new AudioContext();
    void context.resume();
  } catch {
    context = null; // no audio output: the eye and the screen reader are told all the same
  }
}

/** @param {boolean} on */
export function chime(on) {
  if (!context) return;
  const [first, second] = on ? [523, 784] : [784, 392];
  tone(context, first, context.currentTime);
  tone(context, second, context.currentTime + 0.16);
}

/**
 * @param {AudioContext} output
 * @param {number} hertz
 * @param {number} at
 */
function tone(output, hertz, at) {
  const source = output.createOscillator();
  const gain = output.createGain();
  source.frequency.value = hertz;
  // Soft edges: a hard one clicks.
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(0.12, at + 0.02);
  gain.gain.linearRampToValueAtTime(0, at + 0.15);
  source.connect(gain).connect(output.destination);
  source.start(at);
  source.stop(at + 0.16);
}
