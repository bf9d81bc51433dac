package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
)

// measured serves the metrics of a command that runs a job, if somebody wants them: from before it does anything
// until it ends.
func (a *app) measured(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if a.metricsListen == "" {
			return run(c, args)
		}
		stop, err := a.serveMetrics(c.Context())
		if err != nil {
			return err
		}
		defer stop()
		return run(c, args)
	}
}

// listenError says why a flag's address cannot be listened on. Only one that is taken may be free the next time.
func listenError(flag, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %s: %w; choose another address, or end the process that has this one", flag, address, err)
	}
	return usagef("%s %s: %w; an address is host:port or :port, of this machine", flag, address, err)
}

// lastScrape is how long the end of the command waits for a scrape that is under way.
const lastScrape = time.Second

// serveMetrics serves /metrics, and nothing else, until stop is called.
func (a *app) serveMetrics(ctx context.Context) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.metricsListen)
	if err != nil {
		return nil, listenError("--metrics-listen", a.metricsListen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(newMetrics(&a.monitor).registry(), promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Warn("metrics are no longer served", "error", err) // no reason to stop a job
		}
	}()
	a.log.Info("metrics are served", "url", "http://"+listener.Addr().String()+"/metrics")
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastScrape)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // whoever scrapes so slowly does without
		}
		<-ended
	}, nil
}
