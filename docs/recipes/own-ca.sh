#!/bin/sh
# A CA of one's own for the listeners, and a certificate of it: ca.pem for those who verify, fullchain.pem and privkey.pem
# for tegata.toml.
#   own-ca.sh FOLDER tegata.example.jp '*.probe.tegata.example.jp'
# Run again, it makes a new key and certificate by the same CA. The CA's key belongs on another machine.
set -eu
cd "$1"
shift
umask 077
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

if [ ! -e ca.key ]; then
  # shellcheck disable=SC2086
  openssl req -x509 $key -days 3650 -subj "/CN=Server CA of $1" -keyout ca.key -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
fi

names=$(printf ',DNS:%s' "$@")
# shellcheck disable=SC2086
openssl req -new $key -subj "/CN=$1" -keyout privkey.new -out request.pem -addext "subjectAltName=${names#,}" \
  -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
  -addext extendedKeyUsage=serverAuth
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 397 -copy_extensions copy -out leaf.pem
cat leaf.pem ca.pem > fullchain.new

# Each file is whole at every moment. Until both fit, the server goes on with what it had.
mv privkey.new privkey.pem
mv fullchain.new fullchain.pem
