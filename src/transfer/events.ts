import type { PutBlobResult } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'

/** What a transfer tells while it runs. Descriptors' sizes and `bytes` are in bytes. */
export type TransferEvent =
  /**
   * All manifests are read: so many manifests and distinct blobs are wanted, of so many bytes together. Each of those
   * blobs ends in one `blob-done`, each of those manifests in one `manifest-done`.
   */
  | {
      readonly type: 'planned'
      readonly manifests: number
      readonly blobs: number
      readonly bytes: number
    }
  | { readonly type: 'blob-started'; readonly descriptor: Descriptor }
  /** So many bytes went by since the last such event of this blob. */
  | { readonly type: 'blob-progress'; readonly descriptor: Descriptor; readonly bytes: number }
  /** The blob goes on, or starts again, at the byte `start`; its progress counts from there. */
  | { readonly type: 'blob-restarted'; readonly descriptor: Descriptor; readonly start: number }
  | { readonly type: 'blob-done'; readonly descriptor: Descriptor; readonly how: PutBlobResult | 'foreign' }
  | {
      readonly type: 'manifest-done'
      readonly descriptor: Descriptor
      readonly how: 'copied' | 'present'
      /** The tags that were written with it. */
      readonly tags: readonly string[]
    }
  /** Something failed and is tried again after `delayMs`. */
  | { readonly type: 'retry'; readonly name: string; readonly reason: string; readonly delayMs: number }
  | { readonly type: 'warning'; readonly message: string }

/** Takes the events of a transfer, in order. */
export type OnTransferEvent = (event: TransferEvent) => void
