// Meshes, which are loaded when they are opened.
(() => {
  "use strict";
  const mesh = document.querySelector("details.mesh");
  mesh?.addEventListener("toggle", () => {
    if (!mesh.open || mesh.querySelector("iframe")) return;
    const frame = document.createElement("iframe");
    frame.title = "Meshes of all methods in three dimensions";
    frame.setAttribute("sandbox", "allow-scripts");
    frame.src = mesh.dataset.src;
    mesh.append(frame);
  });
})();
