/**
 * Controls (ANSI sequences begin with one), bidi overrides, line separators, lone surrogates, and invisible characters:
 * what lets a registry's text repaint a terminal or read as something else. Joiners stay; scripts and emoji need them.
 */
const unsafe =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u{200b}\u{2060}-\u{2064}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu

const shortEscapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text on one line, with everything escaped that a terminal might obey: `\n`, `\u{1b}`, `\u{202e}`. */
export function printable(text: string): string {
  return replaceUnsafe(text, character => shortEscapes[character] ?? escapeOf(character))
}

/** Like `printable`, but lines stay lines and tabs stay tabs. */
export function printableLines(text: string): string {
  return replaceUnsafe(text, character =>
    character === '\n' || character === '\t' ? character : (shortEscapes[character] ?? escapeOf(character)),
  )
}

/** JSON text that says the same and holds no character that a terminal might obey. */
export function printableJson(json: string): string {
  return replaceUnsafe(json, character => (character === '\n' ? character : jsonEscapeOf(character)))
}

/** V8 takes milliseconds to prepare an expression with so many properties, and most texts need none of them. */
function replaceUnsafe(text: string, replacement: (character: string) => string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : text.replace(unsafe, replacement)
}

function escapeOf(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}

function jsonEscapeOf(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}
