// Turns all turntables together: each is a strip of frames, and object-position selects one.
(() => {
  "use strict";
  const player = document.querySelector(".player");
  const turntables = [...document.querySelectorAll("img[data-frames]")];
  if (!player || !turntables.length) return;
  const [button, slider, output] = ["button", "input", "output"].map((name) => player.querySelector(name));
  const reduced = matchMedia("(prefers-reduced-motion: reduce)");
  const SECONDS_PER_TURN = 6;
  const visible = new Set();
  let turn = 0; // of a full circle, in [0, 1)
  let playing = false;
  let before = 0; // time of the last frame, ms
  let pending = 0;

  const place = (image) => {
    const frames = Number(image.dataset.frames);
    const frame = Math.floor(turn * frames + 1e-6) % frames;
    const position = frames > 1 ? `${(100 * frame) / (frames - 1)}% 0` : "0 0";
    if (image.dataset.position !== position) image.style.objectPosition = image.dataset.position = position;
  };
  const show = () => {
    visible.forEach(place);
    const degrees = Math.round(turn * 360) % 360;
    slider.value = degrees;
    output.textContent = `${degrees}°`;
  };
  const set = (value) => { turn = ((value % 1) + 1) % 1; show(); };
  const tick = (now) => {
    if (!playing) return;
    set(turn + (now - before) / 1000 / SECONDS_PER_TURN);
    before = now;
    pending = requestAnimationFrame(tick);
  };
  const play = (on) => {
    cancelAnimationFrame(pending);
    playing = on;
    before = performance.now();
    if (on) pending = requestAnimationFrame(tick);
    button.textContent = on ? "Pause" : "Play";
  };

  const observer = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    if (isIntersecting) { visible.add(target); place(target); } else visible.delete(target);
  }));
  turntables.forEach((image) => observer.observe(image));
  button.addEventListener("click", () => play(!playing));
  slider.addEventListener("input", () => { play(false); set(slider.value / 360); });
  reduced.addEventListener("change", () => play(!reduced.matches));
  for (const image of turntables) {
    let grip = null;
    image.addEventListener("pointerdown", (event) => {
      play(false);
      grip = { x: event.clientX, turn };
      image.setPointerCapture(event.pointerId);
    });
    image.addEventListener("pointermove", (event) => {
      if (grip) set(grip.turn - (event.clientX - grip.x) / image.clientWidth / 2);
    });
    for (const end of ["pointerup", "pointercancel"]) image.addEventListener(end, () => { grip = null; });
  }
  player.hidden = false;
  show();
  play(!reduced.matches);
})();
