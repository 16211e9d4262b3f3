// Shows the prompts that contain all words of the box.
(() => {
  "use strict";
  const box = document.getElementById("filter");
  if (!box) return;
  const found = document.getElementById("found");
  const prompts = [...document.querySelectorAll(".images tbody tr")].map((item) => ({
    item,
    text: item.querySelector("th").textContent.toLowerCase(),
  }));
  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { item, text } of prompts) {
      item.hidden = !words.every((word) => text.includes(word));
      count += !item.hidden;
    }
    found.textContent = `${count} of ${prompts.length}`;
  };
  box.addEventListener("input", apply);
  apply(); // a browser may restore the text of an earlier visit
})();
