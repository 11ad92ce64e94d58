import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }

/** A file's path from the project's folder, with forward slashes, and its text. */
type Sources = ReadonlyMap<string, string>

/** What the files of a folder (or one file beside the folders) may import, besides one another. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'backoff.ts': [],
  'work-group.ts': ['errors.ts'],
  'credential.ts': [],
  'flow.ts': [],
  'until-aborted.ts': [],
  'recent-map.ts': [],
  'web-service.ts': [],
  'image-store.ts': ['flow.ts', 'oci', 'errors.ts'],
  files: ['errors.ts'],
  oci: ['errors.ts', 'flow.ts'],
  http: [
    'recent-map.ts',
    'until-aborted.ts',
    'oci',
    'errors.ts',
    'flow.ts',
    'backoff.ts',
    'credential.ts',
    'web-service.ts',
  ],
  aws: ['errors.ts', 'web-service.ts'],
  keychain: ['errors.ts'],
  config: ['files', 'oci', 'errors.ts', 'credential.ts'],
  registry: [
    'recent-map.ts',
    'http',
    'oci',
    'aws',
    'errors.ts',
    'flow.ts',
    'work-group.ts',
    'credential.ts',
    'image-store.ts',
    'web-service.ts',
  ],
  doctor: ['http', 'registry', 'oci', 'errors.ts', 'flow.ts', 'credential.ts'],
  tar: ['files', 'errors.ts', 'flow.ts', 'until-aborted.ts'],
  layout: ['until-aborted.ts', 'files', 'oci', 'tar', 'errors.ts', 'flow.ts', 'image-store.ts'],
  dir: ['until-aborted.ts', 'files', 'oci', 'errors.ts', 'flow.ts', 'image-store.ts'],
  'docker-archive': [
    'files',
    'tar',
    'layout',
    'oci',
    'errors.ts',
    'flow.ts',
    'work-group.ts',
    'image-store.ts',
  ],
  'docker-daemon': [
    'docker-archive',
    'files',
    'layout',
    'oci',
    'errors.ts',
    'flow.ts',
    'work-group.ts',
    'image-store.ts',
  ],
  transfer: ['oci', 'errors.ts', 'flow.ts', 'backoff.ts', 'work-group.ts', 'image-store.ts'],
  diff: ['oci', 'tar', 'transfer', 'filesystem', 'flow.ts', 'work-group.ts', 'image-store.ts'],
  validate: ['oci', 'tar', 'transfer', 'errors.ts', 'flow.ts', 'work-group.ts', 'image-store.ts'],
  filesystem: ['tar', 'oci', 'transfer', 'errors.ts', 'flow.ts', 'image-store.ts'],
  credentials: ['files', 'oci', 'aws', 'errors.ts', 'credential.ts', 'web-service.ts'],
  bundle: ['oci', 'layout', 'transfer', 'errors.ts', 'work-group.ts', 'image-store.ts'],
  server: [
    'recent-map.ts',
    'config',
    'files',
    'oci',
    'layout',
    'bundle',
    'transfer',
    'errors.ts',
    'flow.ts',
    'image-store.ts',
  ],
}

/** These wire the others, so they may import all but the command line. */
const wiring = ['cli', 'index.ts']

const onlyIn: readonly { readonly what: RegExp; readonly where: RegExp }[] = [
  { what: /^undici$/, where: /^src\/http\/send\.ts$/ },
  { what: /^aws4fetch$/, where: /^src\/aws\// },
  { what: /^(?:yaml|smol-toml)$/, where: /^src\/config\// },
  { what: /^@napi-rs\/keyring$/, where: /^src\/keychain\// },
  { what: /^tar-stream$/, where: /^src\/tar\// },
  { what: /^prom-client$/, where: /^src\/server\/metrics\.ts$/ },
  { what: /^(?:commander|chalk|ora)$/, where: /^src\/cli\// },
  { what: /^node:process$/, where: /^src\/cli\// },
]

const terminal = /\b(?:process\.(?:env|argv|stdin|stdout|stderr|exit|exitCode|on|once)\b|console\.)/g

const vague = /^(?:utils?|helpers?|common|managers?)$/

describe('the source', () => {
  const sources = readSources('src')

  it('is there to be checked', () => {
    expect(sources.size).toBeGreaterThan(20)
    expect([...sources].flatMap(([file, text]) => importsOf(file, text)).length).toBeGreaterThan(50)
  })

  it('keeps the arrows between its folders', () => expect(turnedArrows(sources)).toEqual([]))
  it('imports packages that are dependencies, each where it belongs', () =>
    expect(strayPackages(sources)).toEqual([]))
  it('has no imports in a circle', () => expect(circles(sources)).toEqual([]))
  it('reads the environment and speaks to the terminal in src/cli alone', () =>
    expect(terminalUses(sources)).toEqual([]))
  it('has names that say what is inside', () => expect(vagueNames(sources)).toEqual([]))
  it('only re-exports in src/index.ts', () => expect(ownCodeOfIndex(sources)).toEqual([]))
  it('documents all that it exports', () => expect(undocumented(sources)).toEqual([]))
})

describe('a turned arrow is found', () => {
  it.each([
    ['src/oci/a.ts', "import { b } from '../http/b.ts'", '../http/b.ts'],
    ['src/oci/a.ts', "import type { b } from '../image-store.ts'", '../image-store.ts'],
    ['src/oci/a.ts', "export { b } from '../credential.ts'", '../credential.ts'],
    ['src/oci/a.ts', "export type * from '../layout/b.ts'", '../layout/b.ts'],
    ['src/oci/a.ts', "import '../http/b.ts'", '../http/b.ts'],
    ['src/oci/a.ts', "const b = await import('../http/b.ts')", '../http/b.ts'],
    ['src/oci/a.ts', "type B = import('../http/b.ts').B", '../http/b.ts'],
    ['src/oci/a.ts', "import {\n  type B,\n  c as d,\n} from '../http/b.ts'", '../http/b.ts'],
    ['src/http/a.ts', "import { b } from '../registry/b.ts'", '../registry/b.ts'],
    ['src/http/a.ts', "import { b } from '../credentials/b.ts'", '../credentials/b.ts'],
    ['src/registry/providers/a.ts', "import { b } from '../../transfer/b.ts'", '../../transfer/b.ts'],
    ['src/layout/a.ts', "import { b } from '../transfer/b.ts'", '../transfer/b.ts'],
    ['src/transfer/a.ts', "import { b } from '../layout/b.ts'", '../layout/b.ts'],
    ['src/transfer/a.ts', "import { b } from '../registry/b.ts'", '../registry/b.ts'],
    ['src/credentials/a.ts', "import { b } from '../http/b.ts'", '../http/b.ts'],
    ['src/server/a.ts', "import { b } from '../http/b.ts'", '../http/b.ts'],
    ['src/files/a.ts', "import { b } from '../oci/b.ts'", '../oci/b.ts'],
    ['src/http/a.ts', "import { b } from '../files/b.ts'", '../files/b.ts'],
    ['src/oci/a.ts', "import { b } from '../files/b.ts'", '../files/b.ts'],
    ['src/registry/a.ts', "import { b } from '../files/b.ts'", '../files/b.ts'],
    ['src/transfer/a.ts', "import { b } from '../files/b.ts'", '../files/b.ts'],
    ['src/errors.ts', "import { b } from './oci/b.ts'", './oci/b.ts'],
    ['src/transfer/a.ts', "import { b } from '../cli/b.ts'", '../cli/b.ts'],
    ['src/index.ts', "export { b } from './cli/b.ts'", './cli/b.ts'],
    ['src/oci/a.ts', "import { b } from '../../test/b.ts'", '../../test/b.ts'],
    ['src/oci/a.ts', "import b from '../../package.json' with { type: 'json' }", '../../package.json'],
    ['src/sync/a.ts', "import { b } from '../oci/b.ts'", '../oci/b.ts'],
  ])('in %s: %s', (file, text, specifier) => {
    expect(turnedArrows(new Map([[file, text]]))).toEqual([`${file} imports ${specifier}`])
  })

  it('and one that is right is not', () => {
    const right = new Map([
      [
        'src/oci/a.ts',
        "import { b } from './b.ts'\nimport { e } from '../errors.ts'\nimport { z } from 'zod/mini'",
      ],
      ['src/registry/a.ts', "import { b } from '../http/b.ts'\n// import { c } from '../cli/c.ts'"],
      ['src/server/a.ts', "/**\n * import { c } from '../cli/c.ts'\n */\nimport { b } from '../layout/b.ts'"],
      ['src/layout/a.ts', "import { b } from '../files/b.ts'"],
      ['src/server/auth/a.ts', "import { b } from '../../files/b.ts'"],
      ['src/credentials/a.ts', "import { b } from '../files/b.ts'\nimport { e } from '../errors.ts'"],
      ['src/cli/commands/a.ts', "import { b } from '../../transfer/b.ts'"],
      ['src/cli/version.ts', "import { version } from '../../package.json' with { type: 'json' }"],
    ])
    expect(turnedArrows(right)).toEqual([])
  })
})

describe('a stray package is found', () => {
  it.each([
    ['src/http/retry.ts', "import type { Agent } from 'undici'", 'undici'],
    ['src/registry/a.ts', "import { request } from 'undici'", 'undici'],
    ['src/transfer/a.ts', "import chalk from 'chalk'", 'chalk'],
    ['src/registry/a.ts', "import ora from 'ora'", 'ora'],
    ['src/index.ts', "export { Command } from 'commander'", 'commander'],
    ['src/http/a.ts', "import { env } from 'node:process'", 'node:process'],
    ['src/oci/a.ts', "import fc from 'fast-check'", 'fast-check'],
    ['src/oci/a.ts', "import { readFile } from 'fs'", 'fs'],
    ['src/oci/a.ts', "const x = require('left-pad')", 'left-pad'],
  ])('in %s: %s', (file, text, name) => {
    expect(strayPackages(new Map([[file, text]]))).toEqual([`${file} imports ${name}`])
  })

  it('and one in its place is not', () => {
    const right = new Map([
      ['src/http/send.ts', "import { request } from 'undici'"],
      ['src/cli/main.ts', "import chalk from 'chalk'\nimport process from 'node:process'"],
      ['src/oci/a.ts', "import { z } from 'zod/mini'\nimport { hash } from 'node:crypto'"],
    ])
    expect(strayPackages(right)).toEqual([])
  })
})

describe('a circle is found', () => {
  it('with the way around it, also through types and dynamic imports', () => {
    const sources = new Map([
      ['src/oci/a.ts', "import type { b } from './b.ts'"],
      ['src/oci/b.ts', "const c = await import('./c.ts')"],
      ['src/oci/c.ts', "export * from './a.ts'"],
      ['src/oci/d.ts', "import './a.ts'"],
    ])
    expect(circles(sources)).toEqual(['src/oci/a.ts → src/oci/b.ts → src/oci/c.ts → src/oci/a.ts'])
  })

  it('and two ways to one file are none', () => {
    const sources = new Map([
      ['src/oci/a.ts', "import './b.ts'\nimport './c.ts'"],
      ['src/oci/b.ts', "import './d.ts'"],
      ['src/oci/c.ts', "import './d.ts'"],
      ['src/oci/d.ts', ''],
    ])
    expect(circles(sources)).toEqual([])
  })
})

describe('what stands in the wrong place is found', () => {
  it.each([
    ['const { HOME } = process.env', 'process.env'],
    ['process.stdout.write(text)', 'process.stdout'],
    ['process.exit(1)', 'process.exit'],
    ['console.log(1)', 'console.'],
  ])('a use of the terminal: %s', (text, found) => {
    expect(terminalUses(new Map([['src/http/a.ts', `\n${text}`]]))).toEqual([`src/http/a.ts:2 uses ${found}`])
    expect(terminalUses(new Map([['src/cli/a.ts', text]]))).toEqual([])
    expect(
      terminalUses(new Map([['src/http/a.ts', `// ${text}\nconst a = process.arch // ${text}`]])),
    ).toEqual([])
  })

  it.each([
    'src/utils.ts',
    'src/oci/helpers.ts',
    'src/common/a.ts',
    'src/http/manager.ts',
    'src/oci/camelCase.ts',
  ])('a name that says nothing, or is not kebab-case: %s', file =>
    expect(vagueNames(new Map([[file, '']]))).toEqual([file]),
  )

  it('code in src/index.ts', () => {
    const reExports = "/** A. */\nexport { a } from './a.ts'\n// B.\nexport type {\n  B,\n} from './b.ts'\n"
    expect(ownCodeOfIndex(new Map([['src/index.ts', reExports]]))).toEqual([])
    expect(ownCodeOfIndex(new Map([['src/index.ts', `${reExports}export const c = 1\n`]]))).toEqual([
      'export const c = 1',
    ])
  })

  it('an export without a docstring', () => {
    const text = [
      '/** Documented. */',
      'export function a() {}',
      'export async function* b() {}',
      '// A comment is not a docstring.',
      'export const c = 1',
      'export interface D {}',
      'export type E = 1',
      'export class F {}',
      '/** Documented. */',
      '// biome-ignore lint/a/b: a reason',
      'export const g = 1',
      "export { h } from './h.ts'",
      'function i() {}',
    ].join('\n')
    const names = undocumented(new Map([['src/oci/a.ts', text]])).map(fault => fault.split(' ').at(-1))
    expect(names).toEqual(['b', 'c', 'D', 'E', 'F'])
  })
})

function readSources(folder: string): Sources {
  const root = join(import.meta.dirname, '..')
  const files = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
  return new Map(
    files.map(file => [relative(root, file).split(sep).join('/'), readFileSync(file, 'utf8')] as const),
  )
}

/** Comments that begin a line, or follow a space. Enough for formatted code; `https://` in a string stays. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(?:\/?\*|\/\/).*$|\s\/\/ .*$/gm, '')
}

/** What a file imports: static and dynamic, of values and of types, and re-exports. */
function importsOf(file: string, text: string): { specifier: string; target: string }[] {
  const code = withoutComments(text)
  const statements = code.matchAll(/^(?:import|export)\b(?:[\w\s{},*$]*\bfrom)?\s*(['"])(.+?)\1/gm)
  const calls = code.matchAll(/\b(?:import|require)\s*\(\s*(['"])(.+?)\1/g)
  return [...statements, ...calls].map(([, , specifier = '']) => ({
    specifier,
    target: specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier,
  }))
}

/** The folder in `src` that a file belongs to, or the file's own name; undefined outside of `src`. */
function areaOf(file: string): string | undefined {
  const [top, area] = file.split('/')
  return top === 'src' ? area : undefined
}

function turnedArrows(sources: Sources): string[] {
  return faults(sources, (file, { specifier, target }) => {
    const from = areaOf(file)
    const to = areaOf(target)
    if (!specifier.startsWith('.') || (to !== undefined && to === from)) return false
    if (from === 'cli' && target === 'package.json') return false
    if (from === undefined || to === undefined || to === 'cli') return true
    return !wiring.includes(from) && !mayImport[from]?.includes(to)
  })
}

function strayPackages(sources: Sources): string[] {
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
  return faults(sources, (file, { specifier }) => {
    if (specifier.startsWith('.')) return false
    const isKnown = dependencies.some(name => specifier === name || specifier.startsWith(`${name}/`))
    if (!isKnown && !specifier.startsWith('node:')) return true
    return onlyIn.some(({ what, where }) => what.test(specifier) && !where.test(file))
  })
}

type Import = ReturnType<typeof importsOf>[number]

function faults(sources: Sources, isFault: (file: string, imported: Import) => boolean): string[] {
  return [...sources].flatMap(([file, text]) =>
    importsOf(file, text)
      .filter(imported => isFault(file, imported))
      .map(({ specifier }) => `${file} imports ${specifier}`),
  )
}

function circles(sources: Sources): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    done.add(file)
    for (const { target } of importsOf(file, sources.get(file) ?? '')) walk(target, [...way, file])
  }
  for (const file of sources.keys()) walk(file, [])
  return found
}

function terminalUses(sources: Sources): string[] {
  return [...sources]
    .filter(([file]) => !file.startsWith('src/cli/'))
    .flatMap(([file, text]) =>
      text
        .split('\n')
        .flatMap((line, number) =>
          [...withoutComments(line).matchAll(terminal)].map(([use]) => `${file}:${number + 1} uses ${use}`),
        ),
    )
}

function vagueNames(sources: Sources): string[] {
  return [...sources.keys()].filter(file => {
    const names = file.replace(/\.ts$/, '').split('/')
    return names.some(name => vague.test(name) || !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name))
  })
}

function ownCodeOfIndex(sources: Sources): string[] {
  return withoutComments(sources.get('src/index.ts') ?? '')
    .replace(/^export\b[\w\s{},*$]*\bfrom\s*'[^']+'$/gm, '')
    .split('\n')
    .filter(line => line.trim() !== '')
}

/** An options object is documented by the function that takes it, a verb's `define` by `CommandModule`. */
function undocumented(sources: Sources): string[] {
  const declaration =
    /^export (?:declare |abstract |async )*(?:function\*?|class|interface|type|const|let) ?(?<name>\w+)/
  return [...sources].flatMap(([file, text]) => {
    const lines = text.split('\n')
    return lines.flatMap((line, number) => {
      const name = declaration.exec(line)?.groups?.name
      const before = lines.slice(0, number).findLast(other => !other.startsWith('//')) ?? ''
      const speaksForItself = name === 'define' || name?.endsWith('Options')
      return name === undefined || speaksForItself || before.endsWith('*/')
        ? []
        : [`${file}:${number + 1} exports ${name}`]
    })
  })
}
