import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { digestOf } from '../../../src/oci/digest.ts'

interface Entry {
  readonly digest: string
}

/** Looks at the files of a registry's folder, each blob once. */
export class DiskCheck {
  readonly #dir: string
  readonly #whole = new Set<string>()
  readonly #children = new Map<string, readonly Entry[]>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** What is no part of a layout, and no name of a blob. */
  async leftovers(): Promise<string[]> {
    return (await this.#files()).filter(file => !/(^|\/)(index\.json|oci-layout|[0-9a-f]{64})$/.test(file))
  }

  /** All that has a blob's name has its content, and all that an index.json lists is there with what it refers to. */
  async check(): Promise<void> {
    const files = new Set(await this.#files())
    for (const file of files) {
      const name = basename(file)
      if (this.#whole.has(file) || !/^[0-9a-f]{64}$/.test(name)) continue
      const digest = digestOf(await readFile(join(this.#dir, file)))
      if (digest !== `sha256:${name}`) throw new Error(`${file}: its content has digest ${digest}`)
      this.#whole.add(file)
    }
    for (const file of files) if (basename(file) === 'index.json') await this.#checkIndex(file, files)
  }

  /** What lies in the folder, by its path there. */
  async #files(): Promise<string[]> {
    const entries = await readdir(this.#dir, { recursive: true, withFileTypes: true })
    return entries
      .filter(entry => entry.isFile())
      .map(entry => relative(this.#dir, join(entry.parentPath, entry.name)))
  }

  async #checkIndex(path: string, files: ReadonlySet<string>): Promise<void> {
    const blobPath = ({ digest }: Entry) => join(dirname(path), 'blobs', digest.replace(':', '/'))
    const { manifests }: { manifests: Entry[] } = await this.#json(path)
    for (const manifest of manifests) {
      const file = blobPath(manifest)
      if (!files.has(file)) throw new Error(`${path}: there is no ${file}`)
      for (const child of await this.#childrenIn(file)) {
        if (!files.has(blobPath(child))) throw new Error(`${file}: there is no ${child.digest}`)
      }
    }
  }

  async #childrenIn(file: string): Promise<readonly Entry[]> {
    const known = this.#children.get(file)
    if (known !== undefined) return known
    const { config, layers }: { config: Entry; layers: Entry[] } = await this.#json(file)
    this.#children.set(file, [config, ...layers])
    return [config, ...layers]
  }

  async #json(path: string) {
    return JSON.parse(await readFile(join(this.#dir, path), 'utf8'))
  }
}
