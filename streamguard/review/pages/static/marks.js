// Onset and end of the harm, as the reviewer marks them on the timeline.

const SVG = 'http://www.w3.org/2000/svg';

export class Marks {
  constructor(text) {
    this.text = text;
    this.start = this.end = null;
  }

  // at: the epoch of the picture, whose timeline it is, and the time in it, milliseconds.
  mark(name, at) {
    if (at === null) {
      this.text.textContent = 'Show a picture first: the mark is where it is.';
      return;
    }
    const other = name === 'start' ? 'end' : 'start';
    this[name] = at;
    if (this.start && this.end && !this.areInOrder()) this[other] = null; // the newer one counts
    this.draw();
  }

  areInOrder() {
    return this.start.epoch === this.end.epoch && this.start.ms <= this.end.ms;
  }

  draw() {
    const line = document.getElementById('timeline');
    line?.querySelectorAll('.onset').forEach((one) => one.remove());
    const told = [];
    for (const [name, at] of [['starts', this.start], ['ends', this.end]]) {
      if (at === null) continue;
      told.push(`${name} at ${(at.ms / 1000).toFixed(1)} s`);
      if (Number(line?.dataset.epoch) === at.epoch) line.append(this.stroke(line, at.ms));
    }
    this.text.textContent = told.length ? `The harm ${told.join(' and ')}.` : 'No onset marked.';
  }

  stroke(line, ms) {
    const { start, end, width, height } = line.dataset;
    const share = Math.min(1, Math.max(0, (ms - start) / (end - start)));
    const stroke = document.createElementNS(SVG, 'line');
    const at = { x1: share * width, x2: share * width, y1: -4, y2: height, class: 'onset' };
    for (const [name, value] of Object.entries(at)) stroke.setAttribute(name, value);
    return stroke;
  }

  said() {
    const said = {};
    if (this.start || this.end) said.onset_epoch = (this.start ?? this.end).epoch;
    if (this.start) said.onset_pts_ms = this.start.ms;
    if (this.end) said.end_pts_ms = this.end.ms;
    return said;
  }
}
