// A product in Go that lets enrolled devices in and nobody else, with the standard library alone.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	platform, err := Discover(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(DeviceOf(r))
	})
	server := &http.Server{
		Addr:              os.Getenv("HOST") + ":" + setting("PORT"),
		Handler:           platform.OnlyDevices(hello),
		ReadHeaderTimeout: 10 * time.Second,
	}
	if len(platform.gates) > 0 { // The gate, or the proxy before it, ends TLS.
		log.Fatal(server.ListenAndServe())
	}
	hints, err := pool(setting("TEGATA_CLIENT_CA"))
	if err != nil {
		log.Fatal(err)
	}
	// Every certificate is taken, because the token says which one it must be, and no session is resumed.
	server.TLSConfig = &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: hints, SessionTicketsDisabled: true}
	log.Fatal(server.ListenAndServeTLS(setting("TLS_CERTIFICATE"), setting("TLS_KEY")))
}
