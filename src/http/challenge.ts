/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const quoted = /"((?:[^"\\]|\\.)*)"?/y
/** What a server that forgets the quotes may mean: up to the next comma or space. */
const unquoted = /[^\s,"]+/y
const separator = /[\s,]*/y
/** What Negotiate and its like send instead of parameters. */
const token68 = /[ \t]+[\w\-.~+/]+=*(?=[ \t]*(?:,|$))/y

/**
 * Reads every challenge of every header line: several on one line, names and schemes in any case, values without
 * quotes. What cannot be read is passed over; a challenge is never made up.
 */
export function parseChallenges(lines: readonly string[]): Challenge[] {
  return lines.flatMap(parseLine)
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  const read = reader(line)
  while (!read.atEnd()) {
    read.take(separator)
    const name = read.take(token)
    if (name === undefined) {
      if (read.take(quoted) === undefined) read.skip()
      continue
    }
    const current = challenges.at(-1)
    const value = current === undefined ? undefined : readValue(read)
    if (current !== undefined && value !== undefined) current.parameters[name.toLowerCase()] ??= value
    else {
      challenges.push({ scheme: name.toLowerCase(), parameters: Object.create(null) })
      read.take(token68)
    }
  }
  return challenges
}

type Reader = ReturnType<typeof reader>

/** The value behind `=`, where one follows; otherwise the name before it was a scheme. */
function readValue(read: Reader): string | undefined {
  if (read.take(/\s*=\s*/y) === undefined) return undefined
  const inQuotes = read.take(quoted)
  if (inQuotes === undefined) return read.take(unquoted) ?? ''
  return inQuotes.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1')
}

function reader(text: string) {
  let position = 0
  return {
    atEnd: () => position >= text.length,
    skip: () => {
      position += 1
    },
    take: (pattern: RegExp): string | undefined => {
      pattern.lastIndex = position
      const match = pattern.exec(text)?.[0]
      if (match !== undefined) position += match.length
      return match
    },
  }
}
