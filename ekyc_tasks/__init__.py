"""Phone numbers in, validated answers out, around a paid batch API: nothing paid twice, nothing lost."""
