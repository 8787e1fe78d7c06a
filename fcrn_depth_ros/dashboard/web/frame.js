// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// The binary message of the server: a JSON header, then picture, depth, near, confidence.

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Read a frame: header, and of its parts `picture` and `color` (bitmaps), `depth` (centimetres),
    `near` (bits) and `confidence` (0 to 200, 255 unknown). */
export async function readFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const jobs = [];
  const frame = { header, received: performance.now() };
  let offset = 4 + length;
  for (const [name, size] of header.parts) {
    const bytes = new Uint8Array(buffer, offset, size);
    offset += size;
    const picture = name === 'picture' || name === 'color';
    const job = picture ? createImageBitmap(new Blob([bytes], { type: 'image/jpeg' })) : inflate(bytes);
    jobs.push(job.then((value) => { frame[name] = value; }));
  }
  await Promise.all(jobs);
  if (frame.depth) frame.depth = new Uint16Array(frame.depth.buffer);
  return frame;
}
