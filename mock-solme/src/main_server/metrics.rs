//! What is counted, for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::journal::Carrier;
use crate::quirks::Quirk;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    carrier: &'static str,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuirkLabels {
    quirk: &'static str,
}

pub(crate) struct Metrics {
    registry: Registry,
    exchanges: Family<Labels, Counter>,
    quirks: Family<QuirkLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("mock_solme");
        let exchanges = Family::default();
        registry.register("exchanges", "Exchanges with License Servers, by carrier and verdict", exchanges.clone());
        let quirks = Family::default();
        registry.register("quirks", "Quirks that have fired, by name", quirks.clone());
        Self { registry, exchanges, quirks }
    }
}

impl Metrics {
    pub(super) fn count(&self, carrier: Carrier, verdict: &str, quirk: Option<Quirk>) {
        let labels = Labels { carrier: carrier.as_str(), verdict: verdict.to_owned() };
        self.exchanges.get_or_create(&labels).inc();
        if let Some(quirk) = quirk {
            self.quirks.get_or_create(&QuirkLabels { quirk: quirk.as_str() }).inc();
        }
    }

    /// In the text format of OpenMetrics.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
