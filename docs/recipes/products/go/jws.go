package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// So long a key that was withdrawn is believed.
	keysLive = time.Minute
	// Whoever sends unknown names of keys makes the product ask the platform no oftener than this.
	keysRest = 5 * time.Second
	leeway   = 5 // Seconds between the clocks.
)

// What a signed text must say about itself, and how it is refused otherwise.
type rules struct {
	what, typ string
	issuers   []string
	audience  string
	refused   func(description string) error
}

// The keys that sign, as the platform publishes them (RFC 7517).
type keySet struct {
	http *http.Client
	url  string

	lock  sync.Mutex
	keys  map[string]*ecdsa.PublicKey
	asked time.Time
}

type audiences []string

// A string or a list of them (RFC 7519 section 4.1.3).
func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// The signature with ES256, and what all that is signed says about itself. The claims are filled in when it is good.
func (k *keySet) verify(ctx context.Context, text string, rules rules, claims any) error {
	malformed := rules.refused(rules.what + " is malformed or of another type")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return malformed
	}
	var header struct {
		Alg, Typ, Kid string
		Crit          json.RawMessage
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(signature) != 64 || !decode(parts[0], &header) {
		return malformed
	}
	if header.Alg != "ES256" || header.Typ != rules.typ || header.Crit != nil {
		return malformed
	}
	key, err := k.named(ctx, header.Kid)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if key == nil || !ecdsa.Verify(key, hash[:], r, s) {
		return rules.refused(rules.what + " is signed by no present key")
	}
	var common struct {
		Iss      string    `json:"iss"`
		Aud      audiences `json:"aud"`
		Iat, Exp *float64
		Nbf      float64
	}
	if !decode(parts[1], &common) || common.Iat == nil || common.Exp == nil || !decode(parts[1], claims) {
		return malformed
	}
	now := float64(time.Now().Unix())
	switch {
	case !has(rules.issuers, common.Iss):
		return rules.refused(rules.what + " is of another issuer")
	case !has(common.Aud, rules.audience):
		return rules.refused(rules.what + " is for another product")
	case *common.Exp+leeway <= now:
		return rules.refused(rules.what + " has expired")
	case *common.Iat-leeway > now || common.Nbf-leeway > now:
		return rules.refused(rules.what + " is not valid yet: compare the clocks")
	}
	return nil
}

func decode(part string, into any) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

func has(list []string, wanted string) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}

// The key of this name, or nil where the platform publishes none.
func (k *keySet) named(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	age := time.Since(k.asked)
	if k.keys == nil || age > keysLive || k.keys[kid] == nil && age > keysRest {
		if err := k.fetch(ctx); err != nil {
			return nil, err
		}
	}
	return k.keys[kid], nil
}

func (k *keySet) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return err
	}
	var set struct {
		Keys []struct {
			Kty, Crv, Kid, X, Y string
		}
	}
	if err := ask(k.http, request, &set); err != nil {
		return err
	}
	k.keys, k.asked = make(map[string]*ecdsa.PublicKey), time.Now()
	for _, jwk := range set.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(jwk.X)
		y, errY := base64.RawURLEncoding.DecodeString(jwk.Y)
		key := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		if jwk.Kty == "EC" && jwk.Crv == "P-256" && errX == nil && errY == nil && key.IsOnCurve(key.X, key.Y) {
			k.keys[jwk.Kid] = key
		}
	}
	return nil
}
