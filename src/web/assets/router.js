// Where the page is: the part of the address behind `#`. It works under any prefix, and every view has an address of its own.

const BETWEEN = "/";

/// `#/index/1/pages?state=failed` → `{ path: ["index", "1", "pages"], query: {state: "failed"} }`.
export function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split(BETWEEN).filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { path: parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

/// The address of a view.
export function to(path, query = {}) {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `#/${path.map(encodeURIComponent).join(BETWEEN)}${set.length ? `?${new URLSearchParams(set)}` : ""}`;
}

export const go = (path, query) => (location.hash = to(path, query));

/// Changes what the present view shows, without leaving it.
export function amend(query) {
  history.replaceState(null, "", to(current().path, query));
}

export const ofIndex = (index, ...rest) => to(["index", index, ...rest]);
