import type { ServerResponse } from 'node:http'
import { type Chunks, pour } from '../flow.ts'

/** What became of an answer's content. */
export interface SentContent {
  /** In bytes. */
  readonly sent: number
  /** Whether the client hung up before it had all. */
  readonly isCut: boolean
}

/**
 * Sends content as the body of a response, which it does not end. The next piece is asked for when the system has taken the one before,
 * so that a slow client costs no memory.
 * @throws what the content throws
 */
export async function sendContent(response: ServerResponse, chunks: Chunks): Promise<SentContent> {
  const hangUp = new Error('the client hung up')
  let refuse: (reason: Error) => void = () => undefined
  const onClose = () => refuse(hangUp)
  response.once('close', onClose)
  let sent = 0
  const send = (piece: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      if (response.destroyed) return reject(hangUp)
      refuse = reject
      response.write(piece, fault => {
        if (fault) return reject(hangUp)
        sent += piece.length
        resolve()
      })
    })
  try {
    await pour(chunks, send)
    return { sent, isCut: false }
  } catch (error) {
    if (error !== hangUp) throw error
    return { sent, isCut: true }
  } finally {
    response.off('close', onClose)
  }
}
