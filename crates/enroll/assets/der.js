// DER (X.690) for writing only: every function returns the encoded bytes of one value.

export const sequence = (...parts) => tagged(0x30, concat(parts));
export const set = (...parts) => tagged(0x31, concat(parts));
export const octetString = (bytes) => tagged(0x04, bytes);
export const bitString = (bytes) => tagged(0x03, concat([[0], bytes]));
export const nullValue = () => tagged(0x05, []);
export const utf8String = (text) => tagged(0x0c, new TextEncoder().encode(text));
export const bmpString = (text) => tagged(0x1e, utf16BigEndian(text));
export const oid = (dotted) => tagged(0x06, oidContent(dotted));
export const constructedContext = (number, ...parts) => tagged(0xa0 | number, concat(parts));
export const primitiveContext = (number, bytes) => tagged(0x80 | number, bytes);

/** A non-negative INTEGER: a small number, or big-endian bytes of any length. */
export function integer(value) {
  const bytes = typeof value === 'number' ? numberBytes(value) : value;
  const start = bytes.findIndex((byte) => byte !== 0);
  const magnitude = start < 0 ? [0] : Array.from(bytes.slice(start));
  // A leading one bit would make the value negative.
  return tagged(0x02, magnitude[0] & 0x80 ? [0, ...magnitude] : magnitude);
}

export function concat(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function utf16BigEndian(text) {
  const out = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    out[2 * i] = text.charCodeAt(i) >> 8;
    out[2 * i + 1] = text.charCodeAt(i) & 0xff;
  }
  return out;
}

function tagged(tag, content) {
  return concat([[tag], length(content.length), content]);
}

function length(size) {
  if (size < 0x80) return [size];
  const bytes = numberBytes(size);
  return [0x80 | bytes.length, ...bytes];
}

function numberBytes(value) {
  const bytes = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

function oidContent(dotted) {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  return [first * 40 + second, ...rest].flatMap(base128);
}

function base128(arc) {
  const digits = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift(0x80 | (rest % 128));
  }
  return digits;
}
