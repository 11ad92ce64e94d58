import { DrayError, quote } from '../errors.ts'

/** What a regular expression is tried on at most, in characters: the length of the longest tag. */
const maxRegexInput = 128

/**
 * Reads a pattern for names: a glob, or a JavaScript regular expression between slashes (`/^v\d+/`, `/beta/i`).
 *
 * A glob matches the whole name: `*` any characters, `?` one, `[a-z0-9]` one of a set, `[!a]` one outside of it, and
 * `\` takes the next character as it is. Its time grows with the lengths of glob and name multiplied, never worse. A
 * regular expression matches anywhere in the name; names over 128 characters, which no tag has, never match one.
 * @param option the command line's name for it, for messages
 * @throws DrayError `USAGE`
 */
export function parsePattern(text: string, option: string): (name: string) => boolean {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? []
  if (source === undefined) {
    const glob = parseGlob(text, option)
    return name => matchesGlob(glob, Array.from(name))
  }
  if (/[^iu]/.test(flags ?? '')) throw fault(option, text, 'only the flags i and u may follow')
  try {
    const regex = new RegExp(source, flags)
    return name => name.length <= maxRegexInput && regex.test(name)
  } catch (cause) {
    throw fault(option, text, cause instanceof Error ? cause.message : String(cause))
  }
}

type GlobPart = '*' | ((character: string) => boolean)

function parseGlob(text: string, option: string): GlobPart[] {
  const parts: GlobPart[] = []
  const characters = Array.from(text)
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]
    if (character === '*') parts.push('*')
    else if (character === '?') parts.push(() => true)
    else if (character === '[') {
      const end = characters.indexOf(']', at + (characters[at + 1] === '!' ? 3 : 2))
      if (end < 0) throw fault(option, text, 'a "[" is not closed')
      parts.push(parseSet(characters.slice(at + 1, end)))
      at = end
    } else {
      if (character === '\\') at += 1
      const literal = characters[at]
      if (literal === undefined) throw fault(option, text, 'nothing follows the last "\\"')
      parts.push(other => other === literal)
    }
  }
  return parts
}

function parseSet(characters: readonly string[]): (character: string) => boolean {
  const negated = characters[0] === '!'
  const members = negated ? characters.slice(1) : characters
  const ranges: [string, string][] = []
  for (let at = 0; at < members.length; at += 1) {
    const first = members[at] ?? ''
    const last = members[at + 1] === '-' ? members[at + 2] : undefined
    ranges.push([first, last ?? first])
    if (last !== undefined) at += 2
  }
  return character => ranges.some(([first, last]) => character >= first && character <= last) !== negated
}

/** Goes back to the last `*` only, which is enough: an earlier one could not do better. */
function matchesGlob(glob: readonly GlobPart[], name: readonly string[]): boolean {
  let [part, at, lastStar, starAt] = [0, 0, -1, 0]
  while (at < name.length) {
    const test = glob[part]
    if (test === '*') {
      lastStar = part
      starAt = at
      part += 1
    } else if (test?.(name[at] ?? '')) {
      part += 1
      at += 1
    } else if (lastStar >= 0) {
      part = lastStar + 1
      starAt += 1
      at = starAt
    } else return false
  }
  return glob.slice(part).every(rest => rest === '*')
}

function fault(option: string, text: string, why: string): DrayError {
  return new DrayError('USAGE', `${option}: cannot read the pattern ${quote(text)}: ${why}`, {
    hint: "give a glob such as 'v1.*' or a regular expression between slashes such as '/^v1\\./'",
  })
}
