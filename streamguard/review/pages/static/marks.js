// Onset and end of the harm, as the reviewer marks them on the timeline.

const SVG = 'http://www.w3.org/2000/svg';

export class Marks {
  constructor(text) {
    this.text = text;
    this.start = this.end = null;
  }

  mark(name, ms) {
    if (ms === null) {
      this.text.textContent = 'Show a picture first: the mark is where it is.';
      return;
    }
    this[name] = ms;
    this.draw();
  }

  draw() {
    const line = document.getElementById('timeline');
    line?.querySelectorAll('.onset').forEach((one) => one.remove());
    const told = [];
    for (const [name, ms] of [['starts', this.start], ['ends', this.end]]) {
      if (ms === null) continue;
      told.push(`${name} at ${(ms / 1000).toFixed(1)} s`);
      if (line) line.append(this.stroke(line, ms));
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
    const epoch = document.getElementById('timeline')?.dataset.epoch;
    const said = {};
    if (this.start !== null && epoch !== undefined) {
      said.onset_epoch = Number(epoch);
      said.onset_pts_ms = this.start;
    }
    if (this.end !== null) said.end_pts_ms = this.end;
    return said;
  }
}
