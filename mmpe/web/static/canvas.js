// A canvas with an image: to select and drag regions ('move'), to paint a mask and
// colours ('brush'), or to choose a size ('frame'). Python sets the value
// {image, height, width, name, nonce}; user input comes back as the value and, if it
// needs an answer, as an event.
window.mmpeCanvas = function (element, props, trigger, watch, mode, event) {
  const canvas = element.querySelector('canvas');
  const context = canvas.getContext('2d');
  const hint = element.querySelector('.mmpe-hint');
  const control = (name) => element.querySelector(`[data-name="${name}"]`);
  const newLayer = () => {
    const layer = document.createElement('canvas');
    layer.width = state.width;
    layer.height = state.height;
    return layer.getContext('2d');
  };
  const state = {nonce: null, image: null, width: 1, height: 1, zoom: 1,
                 points: [], isClosed: false, shift: [0, 0], press: null};

  function receive() {
    let value = null;
    try { value = JSON.parse(props.value || 'null'); } catch { return; }
    if (!value || !value.image) return;
    if (value.nonce === state.nonce) {
      // Gradio may set the old value again, which would replace a drawing.
      if (mode === 'brush' && element.dataset.ready === String(value.nonce)) report();
      return;
    }
    state.nonce = value.nonce;
    const image = new Image();
    image.onload = () => {
      const isOther = value.width !== state.width || value.height !== state.height;
      Object.assign(state, {image, width: value.width, height: value.height});
      if (mode === 'move') {
        forget();
        hint.textContent = hint.dataset.start;
      }
      if (mode === 'brush' || isOther) reset();
      fit();
      canvas.setAttribute('aria-label', value.name);
      element.dataset.ready = value.nonce;
    };
    image.src = value.image;
  }

  function reset() {
    if (mode === 'brush') {
      state.colours = newLayer();
      state.mask = newLayer();
      report();
    }
    if (mode === 'frame') state.frame = [state.height, state.width];
  }

  function forget() {
    Object.assign(state, {points: [], isClosed: false, shift: [0, 0]});
  }

  function fit() {
    const room = Math.max(240, Math.min(640, element.clientWidth || 640));
    const wide = mode === 'frame' ? 2.6 : 1;
    state.zoom = Math.min(room / (wide * state.width), 520 / (wide * state.height));
    canvas.width = Math.round(wide * state.width * state.zoom);
    canvas.height = Math.round(wide * state.height * state.zoom);
    draw();
  }

  // ------------------------------------------------------------- drawing
  function outline(shift) {
    context.beginPath();
    for (const [y, x] of state.points) {
      context.lineTo((x + shift[1]) * state.zoom, (y + shift[0]) * state.zoom);
    }
    if (state.isClosed) context.closePath();
  }

  function stroke() {
    context.lineWidth = 2;
    context.setLineDash([]);
    context.strokeStyle = '#fff';
    context.stroke();
    context.setLineDash([5, 4]);
    context.strokeStyle = '#d6006c';
    context.stroke();
    context.setLineDash([]);
  }

  function draw() {
    if (!state.image) return;
    const [width, height] = [state.width * state.zoom, state.height * state.zoom];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = state.zoom < 4;
    context.drawImage(state.image, 0, 0, width, height);
    if (mode === 'brush') {
      context.drawImage(state.colours.canvas, 0, 0, width, height);
      context.globalAlpha = 0.3;
      context.drawImage(state.mask.canvas, 0, 0, width, height);
      context.globalAlpha = 1;
    }
    if (mode === 'frame') {
      context.beginPath();
      context.rect(1, 1, state.frame[1] * state.zoom - 2, state.frame[0] * state.zoom - 2);
      stroke();
      context.fillStyle = '#d6006c';
      context.fillRect(state.frame[1] * state.zoom - 14, state.frame[0] * state.zoom - 14, 14, 14);
      hint.textContent = `${state.frame[0]} × ${state.frame[1]} pixels (height × width)`;
    }
    if (mode === 'move' && state.points.length) {
      if (state.shift[0] || state.shift[1]) {
        context.save();
        outline(state.shift);
        context.clip();
        context.drawImage(state.image, state.shift[1] * state.zoom,
                          state.shift[0] * state.zoom, width, height);
        context.restore();
      }
      outline([0, 0]);
      stroke();
      if (state.shift[0] || state.shift[1]) { outline(state.shift); stroke(); }
    }
  }

  // -------------------------------------------------------------- asking
  function box(a, b) {
    const [top, bottom] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
    const [left, right] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
    return [[top, left], [top, right], [bottom, right], [bottom, left]];
  }

  function region() {
    if (!state.isClosed) return null;
    if (state.isBox) {
      return {region: [...state.points[0], ...state.points[2]]};
    }
    return {outline: state.points};
  }

  function report() {
    let value = null;
    if (mode === 'move') {
      value = {selection: region(), shift: state.shift};
    } else if (mode === 'frame') {
      value = {size: state.frame};
    } else {
      const whole = newLayer();
      whole.drawImage(state.image, 0, 0, state.width, state.height);
      whole.drawImage(state.colours.canvas, 0, 0);
      const marks = newLayer();
      marks.fillRect(0, 0, state.width, state.height);
      const pixels = marks.getImageData(0, 0, state.width, state.height);
      const marked = state.mask.getImageData(0, 0, state.width, state.height);
      for (let i = 0; i < pixels.data.length; i += 4) {
        pixels.data.fill(marked.data[i + 3] > 127 ? 255 : 0, i, i + 3);
      }
      marks.putImageData(pixels, 0, 0);
      value = {picture: whole.canvas.toDataURL('image/png'),
               mask: marks.canvas.toDataURL('image/png')};
    }
    props.value = JSON.stringify(value);
    return value;
  }

  // ------------------------------------------------------------- pressing
  function place(press) {
    const rect = canvas.getBoundingClientRect();
    const scale = canvas.width / rect.width / state.zoom;
    return [(press.clientY - rect.top) * scale, (press.clientX - rect.left) * scale];
  }

  function whole(point) {
    return [Math.round(Math.min(Math.max(point[0], 0), state.height)),
            Math.round(Math.min(Math.max(point[1], 0), state.width))];
  }

  function isInside(point) {
    outline([0, 0]);
    return state.isClosed && context.isPointInPath(point[1] * state.zoom, point[0] * state.zoom);
  }

  function paint(from, to) {
    const tool = control('tool').value;
    const layers = tool === 'mark' ? [state.mask] : [state.colours, state.mask];
    for (const layer of layers) {
      layer.globalCompositeOperation = tool === 'erase' ? 'destination-out' : 'source-over';
      layer.strokeStyle = layer === state.mask ? '#ff2d95' : control('colour').value;
      layer.lineWidth = +control('width').value;
      layer.lineCap = 'round';
      layer.beginPath();
      layer.moveTo(from[1], from[0]);
      layer.lineTo(to[1] + 0.01, to[0]);
      layer.stroke();
    }
  }

  canvas.addEventListener('pointerdown', (press) => {
    if (!state.image) return;
    canvas.setPointerCapture(press.pointerId);
    const point = place(press);
    if (mode === 'move' && isInside(point)) {
      state.press = {kind: 'drag', from: point};
    } else if (mode === 'move') {
      forget();
      state.isBox = control('tool').value === 'box';
      state.press = {kind: 'select', from: whole(point)};
      state.points = [whole(point)];
    } else {
      state.press = {kind: mode, from: point};
      if (mode === 'brush') paint(point, point);
    }
    draw();
  });

  canvas.addEventListener('pointermove', (press) => {
    if (!state.press) return;
    const [point, from] = [place(press), state.press.from];
    if (state.press.kind === 'drag') {
      state.shift = [Math.round(point[0] - from[0]), Math.round(point[1] - from[1])];
    } else if (state.press.kind === 'select') {
      if (state.isBox) {
        state.points = box(from, whole(point));
        state.isClosed = true;
      } else {
        state.points.push(whole(point));
      }
    } else if (mode === 'brush') {
      paint(from, point);
      state.press.from = point;
    } else {
      state.frame = point.map((x, axis) => Math.round(Math.max(32, Math.min(
        x, 2.6 * (axis ? state.width : state.height)))));
    }
    draw();
  });

  canvas.addEventListener('pointerup', () => {
    if (!state.press) return;
    const kind = state.press.kind;
    state.press = null;
    if (kind === 'select') {
      const rows = state.points.map((x) => x[0]), columns = state.points.map((x) => x[1]);
      state.isClosed = state.points.length > 2 && Math.max(...rows) > Math.min(...rows)
        && Math.max(...columns) > Math.min(...columns);
      if (!state.isClosed) forget();
      hint.textContent = state.isClosed ? hint.dataset.drag : hint.dataset.start;
    }
    draw();
    const value = report();
    if (kind === 'frame') trigger(event, value);
    if (kind === 'drag' && (state.shift[0] || state.shift[1])) trigger(event, value);
  });

  const clear = control('clear');
  if (clear) clear.addEventListener('click', () => { reset(); draw(); });
  watch('value', receive);
  new ResizeObserver(() => { if (state.image) fit(); }).observe(element);
  receive();
};
