// What pages do beyond plain forms: copy buttons. Everything works without this file.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it by hand";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
});

document.documentElement.classList.add("scripted");

// A one-time link opens its session by itself where scripts run; scanners of links do not submit forms.
document.querySelector("form[data-submit-itself]")?.requestSubmit();
