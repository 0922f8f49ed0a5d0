/** Matches in a log's text, read from its room page by page; within a page log-search.ts finds them. */
import { limits } from "../../protocol/limits.ts";
import type { LogMatches } from "../../protocol/log-reading.ts";
import type { LogReader } from "./log-reader.ts";
import { encodePlace, type SearchPlace, searchPage, type Wanted } from "./log-search.ts";
import { textsOf } from "./plain-read.ts";

/** Parsed at once: several times as much is held while it is. */
const pageBytes = 1024 * 1024;

/** Reads whatever comes first: so many bytes, or so many pages, of which gaps make small ones. */
const pagesMax = 64;

/** Matches from a place on, of a bounded stretch. Null for a place that the log does not have. */
export async function searchLog(log: LogReader, wanted: Wanted, start: SearchPlace): Promise<LogMatches | null> {
  const matches: LogMatches["matches"] = [];
  let place = start;
  for (let [bytes, pages] = [0, 0]; bytes < limits.logSearchBytes && pages < pagesMax; pages++) {
    const page = await log.read({ from: place.position, maxBytes: pageBytes });
    if (page.next < place.position) return null;
    const stretch = { texts: textsOf(page), next: page.next };
    const searched = searchPage(wanted, place, stretch, limits.logSearchMatches - matches.length);
    const isAtEnd = page.next === place.position;
    matches.push(...searched.matches);
    place = searched.place;
    if (searched.isCut) break;
    if (page.isFinal) return { matches, next: null, at_end: true };
    if (isAtEnd) return { matches, next: encodePlace(place), at_end: true };
    bytes += page.events.length;
  }
  return { matches, next: encodePlace(place), at_end: false };
}
