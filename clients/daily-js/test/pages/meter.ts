/** How loud the page's audio element is, moment by moment: what a person in front of it would hear. */

const LOUD = 0.01;

export interface Reading {
  at: number;
  rms: number;
}

/** Measure from now on. Times are those of `performance.now()`. */
export function measure(player: HTMLAudioElement): Reading[] {
  const readings: Reading[] = [];
  const context = new AudioContext();
  const heard = (player as HTMLAudioElement & { captureStream(): MediaStream }).captureStream();
  const analyser = new AnalyserNode(context, { fftSize: 256 });
  context.createMediaStreamSource(heard).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    readings.push({ at: performance.now(), rms: Math.sqrt(power) });
  }, 4);
  return readings;
}

/** Whether a person would hear it. */
export const isLoud = ({ rms }: Reading): boolean => rms > LOUD;

/** How long after a moment it went on sounding, in milliseconds; 0 if it was silent. Judged over the next half second. */
export function soundedAfter(readings: Reading[], at: number): number {
  const loud = readings.filter((reading) => reading.at >= at && reading.at < at + 500 && isLoud(reading));
  return loud.length ? loud[loud.length - 1]!.at - at : 0;
}
