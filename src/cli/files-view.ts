import type { FileRow } from '../filesystem/list-files.ts'
import { printable } from './printable.ts'
import { alignRows } from './text-width.ts'

export interface FilesViewOptions {
  /** With mode, owner, size, time and layer in front, as `ls -l` has it. */
  readonly isLong: boolean
}

/** Files for people, a line each; folders end with a slash. Control characters in names are escaped. */
export function filesText(files: readonly FileRow[], { isLong }: FilesViewOptions): string {
  const lines = isLong ? alignRows(files.map(longRow), [2, 4]) : files.map(nameOf)
  return lines.map(line => `${line}\n`).join('')
}

function longRow(file: FileRow): string[] {
  const { size, mtime, layer } = file
  const owner = `${file.user ?? file.uid}:${file.group ?? file.gid}`
  const time = mtime === null ? '' : mtime.slice(0, mtime.indexOf('T') + 6).replace('T', ' ')
  return [modeOf(file), printable(owner), String(size), time, String(layer), nameOf(file) + targetOf(file)]
}

function nameOf({ path, type }: FileRow): string {
  return printable(type === 'directory' ? `${path}/` : path)
}

function targetOf({ type, target }: FileRow): string {
  if (target === null) return ''
  return type === 'link' ? ` link to ${printable(target)}` : ` -> ${printable(target)}`
}

const typeLetters: Readonly<Record<FileRow['type'], string>> = {
  file: '-',
  link: 'h',
  symlink: 'l',
  directory: 'd',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
  whiteout: 'w',
  opaque: 'o',
}

/** `-rwsr-xr-x`, with `h` for a hard link as tar shows it, and `w` and `o` for whiteouts and opaque markers. */
function modeOf({ type, mode }: FileRow): string {
  const bits = Number.parseInt(mode, 8)
  const letters = [...'rwxrwxrwx'].map((letter, at) => ((bits >> (8 - at)) & 1 ? letter : '-'))
  for (const [at, bit, letter] of specialBits) {
    if ((bits & bit) !== 0) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase()
  }
  return typeLetters[type] + letters.join('')
}

/** Where setuid, setgid and sticky are shown. */
const specialBits = [
  [2, 0o4000, 's'],
  [5, 0o2000, 's'],
  [8, 0o1000, 't'],
] as const
