/** Words, counted as Vapi counts them: a run of anything but white space, or one character of a script without spaces. */

const CJK = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\uac00-\\ud7af";
const WORD = new RegExp(`[${CJK}]|[^\\s${CJK}]+`, "gu");
const SPOKEN = /[\p{L}\p{N}]/u;

/**
 * @param {string} text
 * @param {number} count
 * @returns {number} the offset just after the first `count` words, and the punctuation after them
 */
export function charsOfWords(text, count) {
  let end = 0;
  let words = 0;
  for (const match of text.matchAll(WORD)) {
    if (SPOKEN.test(match[0])) words += 1;
    if (words > count) break;
    end = match.index + match[0].length;
  }
  return count > 0 ? end : 0;
}

/**
 * Find the end of `prefix` in `text`, ignoring white space.
 *
 * @param {string} text
 * @param {string} prefix
 * @returns {number | null} null if `text` does not begin with it
 */
export function matchPrefix(text, prefix) {
  let at = 0;
  for (const char of prefix.replace(/\s+/gu, "")) {
    while (at < text.length && /\s/u.test(text[at])) at += 1;
    if (!text.startsWith(char, at)) return null;
    at += char.length;
  }
  return at;
}
