// Keeps a page current: on a new check the parts marked data-live are asked for again and replaced.
"use strict";
(() => {
  const link = document.getElementById("link");
  let stream = null;
  let asking = false;
  let again = false;
  let patience = 10;

  const say = (text) => {
    if (link) {
      link.hidden = text === "";
      link.textContent = text;
    }
  };

  // A page whose server is gone must not go on looking as if it were watched: what it shows is past, and
  // says since when.
  let since = null;
  function lost() {
    if (since) {
      return;
    }
    since = new Date();
    document.documentElement.dataset.connection = "lost";
    const trouble = document.getElementById("trouble");
    if (trouble) {
      const told = document.createElement("p");
      told.className = "trouble";
      told.setAttribute("role", "alert");
      const loud = document.createElement("strong");
      loud.textContent = "Not connected. ";
      const at = since.toISOString().slice(0, 19).replace("T", " ");
      told.append(loud, `The server has not answered since ${at} UTC: what stands here is how it was then.`);
      trouble.replaceChildren(told);
    }
  }

  function found() {
    since = null;
    delete document.documentElement.dataset.connection;
  }

  const place = (element) =>
    element && element.closest("[data-live]") && element.getAttribute("href");

  function replace(fresh) {
    const focused = place(document.activeElement);
    const home = document.activeElement && document.activeElement.closest("[data-live][id]");
    const usable = () => [...document.getElementById(home.id).querySelectorAll("a[href], button, input, select, summary, [tabindex]")];
    const index = home ? usable().indexOf(document.activeElement) : -1;
    // What somebody folded or unfolded stays so.
    const folds = new Map();
    for (const fold of document.querySelectorAll("details[data-key]")) {
      folds.set(fold.dataset.key, fold.open);
    }
    for (const fold of fresh.querySelectorAll("details[data-key]")) {
      fold.open = folds.get(fold.dataset.key) ?? fold.open;
    }
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      // A chart that somebody reads out stays until they leave it.
      if (old === home && document.activeElement.matches(".plot")) {
        continue;
      }
      if (now && now.innerHTML !== old.innerHTML) {
        old.replaceChildren(...now.childNodes);
      }
    }
    if (focused && !place(document.activeElement)) {
      const same = document.querySelector(`[data-live] a[href="${CSS.escape(focused)}"]`);
      if (same) {
        same.focus();
      }
    }
    // What is no link has no name of its own: it is found again by its place.
    if (index >= 0 && document.activeElement === document.body) {
      usable()[index]?.focus();
    }
    if (fresh.title) {
      document.title = fresh.title;
    }
    const icon = fresh.getElementById("icon");
    if (icon && icon.getAttribute("href") !== document.getElementById("icon").getAttribute("href")) {
      document.getElementById("icon").setAttribute("href", icon.getAttribute("href"));
    }
    document.dispatchEvent(new Event("replaced"));
    // What is being read is there in a moment; where it is not, nobody asks for ever.
    if (document.querySelector("[data-unread]") && patience > 0) {
      patience -= 1;
      setTimeout(refresh, 300);
    }
  }

  async function refresh() {
    if (document.hidden) {
      return;
    }
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.ok) {
        found();
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
      say(answer.ok ? "" : "The page cannot be read now");
    } catch {
      say("Not connected: trying again");
      lost();
    } finally {
      asking = false;
      if (again) {
        again = false;
        setTimeout(refresh, 700);
      }
    }
  }

  function listen() {
    stream = new EventSource("/events");
    stream.addEventListener("ready", () => {
      document.documentElement.dataset.live = "on";
      refresh();
    });
    stream.addEventListener("check", refresh);
    stream.addEventListener("error", () => {
      document.documentElement.dataset.live = "off";
      // A stream that ends may only have been ended: whether anybody is there is asked.
      refresh();
    });
  }

  // A browser opens six connections to one host: pages that nobody looks at take none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
    } else {
      listen();
    }
  });
  if (!document.hidden) {
    listen();
  }
  // Ages grow, and a check that is overdue makes no event. A stream that was refused is not tried again
  // by the browser itself.
  setInterval(() => {
    refresh();
    if (!document.hidden && stream?.readyState === EventSource.CLOSED) {
      listen();
    }
  }, 30000);

  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("q");
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (!search || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.blur();
    }
  });
})();
