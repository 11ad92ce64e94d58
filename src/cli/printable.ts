/**
 * Controls (ANSI sequences begin with one), bidi overrides, line separators, lone surrogates, and invisible characters:
 * what lets a registry's text repaint a terminal or read as something else. Joiners stay; scripts and emoji need them.
 */
const unsafe =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u{200b}\u{2060}-\u{2064}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu

const shortEscapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text on one line, with everything escaped that a terminal might obey: `\n`, `\u{1b}`, `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(unsafe, character => shortEscapes[character] ?? escapeOf(character))
}

/** Like `printable`, but lines stay lines and tabs stay tabs. */
export function printableLines(text: string): string {
  return text.replace(unsafe, character =>
    character === '\n' || character === '\t' ? character : (shortEscapes[character] ?? escapeOf(character)),
  )
}

/** JSON text that says the same and holds no character that a terminal might obey. */
export function printableJson(json: string): string {
  return json.replace(unsafe, character => (character === '\n' ? character : jsonEscapeOf(character)))
}

function escapeOf(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}

function jsonEscapeOf(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}
