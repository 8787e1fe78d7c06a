"""How the embedded model `fcrn_lite` was made: data, network, training, export."""
