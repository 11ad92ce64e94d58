import type { Socket } from 'node:net'
import type { Connect, WantedConnection } from '../connector.ts'
import { Buffers, largeBytes, smallBytes } from './buffers.ts'
import { WireFault } from './wire-fault.ts'

/** Whom a connection serves at the time. */
export interface ConnectionUser {
  /** Takes the next bytes; their memory is used again when this returns, or when its promise is kept. */
  received(bytes: Uint8Array): undefined | Promise<unknown>
  /** All has been taken, and the other side sends no more. */
  ended(): void
  /** The connection is gone, or `received` has thrown; said once. */
  failed(error: unknown): void
}

/** Less than this of a buffer that waits is copied: a server may send many small records, and each would keep a whole one. */
const maxWaitingCopy = 4 * 1024

/** What came, and the memory it lies in where that is to be used again. */
interface Piece {
  readonly bytes: Uint8Array
  readonly buffer?: Buffer
}

/**
 * A TCP or TLS connection whose bytes come in memory that is used again and again. A taker that is not ready holds the
 * other side back. Under TLS what is decrypted already comes all the same, and then gets memory of its own.
 */
export class Connection {
  readonly #socket: Socket
  readonly #buffers: Buffers
  readonly #queue: Piece[] = []
  #user: ConnectionUser | undefined
  #isTaking = false
  #isPaused = false
  /** The other side has ended the connection, or it broke; what came before that is taken first. */
  #ending: { readonly error?: unknown } | undefined
  #isGone = false

  /** @param buffers what the socket was opened with; one inside a tunnel cannot be, and emits what comes */
  constructor(socket: Socket, buffers: Buffers) {
    this.#socket = socket
    this.#buffers = buffers
    socket.on('data', bytes => this.#arrived({ bytes }))
    socket.on('error', error => this.#endWith({ error }))
    socket.on('end', () => this.#endWith({}))
    socket.on('close', () => this.#endWith({}))
  }

  /** True while another request may be sent. */
  get isUsable(): boolean {
    return !this.#isGone && this.#ending === undefined && this.#queue.length === 0 && this.#socket.writable
  }

  /** Serves `user` from now on; nobody with undefined, when what comes unasked ends the connection. */
  serve(user: ConnectionUser | undefined): void {
    this.#user = user
    // An idle connection keeps no program from ending.
    if (user === undefined) this.#socket.unref()
    else this.#socket.ref()
    // Of one that is gone nothing more will be heard.
    if (user !== undefined && !this.isUsable)
      queueMicrotask(() => user.failed(new WireFault('CONNECTION_CLOSED')))
  }

  /**
   * Sends bytes, in one packet with a head where there is one. Their memory may be used again when this returns, or when
   * its promise is kept.
   */
  write(bytes: Uint8Array, head?: Uint8Array): undefined | Promise<void> {
    let settle: (error?: Error | null) => void = () => undefined
    if (head !== undefined) {
      this.#socket.cork()
      this.#socket.write(head)
    }
    this.#socket.write(bytes, error => settle(error))
    if (head !== undefined) this.#socket.uncork()
    if (this.#socket.writableLength === 0) return undefined
    return new Promise((resolve, reject) => {
      settle = error => (error ? reject(error) : resolve())
    })
  }

  destroy(): void {
    this.#isGone = true
    this.#user = undefined
    this.#queue.length = 0
    this.#socket.destroy()
  }

  /** For the socket: `bytes` of `buffer` are there. False when no more is wanted for now. */
  filled(buffer: Buffer, bytes: number): boolean {
    const filled = buffer.subarray(0, bytes)
    this.#buffers.filled(buffer, bytes)
    if (this.#isTaking && bytes <= maxWaitingCopy) {
      this.#arrived({ bytes: Buffer.from(filled) })
      this.#giveBack(buffer)
    } else {
      this.#arrived({ buffer, bytes: filled })
    }
    return !this.#isPaused
  }

  #arrived(piece: Piece): void {
    this.#queue.push(piece)
    this.#pump()
  }

  #pump(): void {
    while (!this.#isTaking && this.#user !== undefined) {
      const next = this.#queue.shift()
      if (next === undefined) break
      this.#take(this.#user, next)
    }
    if (this.#isGone) return
    if (this.#user === undefined && this.#queue.length > 0) {
      this.destroy()
      return
    }
    const isBehind = this.#isTaking || this.#queue.length > 0
    if (isBehind !== this.#isPaused) this.#pause(isBehind)
    if (isBehind || this.#ending === undefined) return
    if ('error' in this.#ending) this.#fail(this.#ending.error)
    else this.#user?.ended()
  }

  #endWith(ending: { readonly error?: unknown }): void {
    this.#ending ??= ending
    this.#pump()
  }

  #take(user: ConnectionUser, { buffer, bytes }: Piece): void {
    try {
      const taken = user.received(bytes)
      if (taken === undefined) {
        this.#giveBack(buffer)
        return
      }
      this.#isTaking = true
      taken.then(
        () => {
          this.#isTaking = false
          this.#giveBack(buffer)
          this.#pump()
        },
        error => this.#fail(error),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  #giveBack(buffer: Buffer | undefined): void {
    if (buffer !== undefined) this.#buffers.giveBack(buffer)
  }

  #pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    if (isPaused) this.#socket.pause()
    else this.#socket.resume()
  }

  #fail(error: unknown): void {
    if (this.#isGone) return
    const user = this.#user
    this.destroy()
    user?.failed(error)
  }
}

/** Opens a connection. @throws DrayError `NETWORK`, `TIMEOUT`, `ABORTED`, `USAGE` */
export async function openConnection(
  connect: Connect,
  { url, signal }: Pick<WantedConnection, 'url' | 'signal'>,
): Promise<Connection> {
  const buffers = new Buffers(url.protocol === 'https:' ? smallBytes : largeBytes)
  let connection: Connection | undefined
  const socket = await connect({
    url,
    signal,
    onread: {
      buffer: () => buffers.lend(),
      callback: (bytes, buffer) => connection?.filled(buffer as Buffer, bytes) ?? true,
    },
    onSocket: opening => {
      connection = new Connection(opening, buffers)
    },
  })
  return connection ?? new Connection(socket, buffers)
}
