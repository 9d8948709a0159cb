"""What a user gives, read and checked before anything is computed: model, data, loss."""
